using System;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading.Tasks;

namespace FastAttn.Tests.Fixtures;

/// <summary>Another process of this executable that has ended.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="LastLine">The last line of its output.</param>
/// <param name="Error">What it wrote to its error stream.</param>
internal sealed record ChildProcess(int ExitCode, string LastLine, string Error)
{
    /// <summary>Runs one; null if this process cannot start itself, as under an emulator that the system does not know.</summary>
    /// <param name="command">One of <see cref="Child"/>'s.</param>
    /// <param name="environment">Variables to set.</param>
    public static ChildProcess? Run(string command, params (string Name, string Value)[] environment)
    {
        if (Environment.ProcessPath is not { } path)
            return null;
        string assembly = typeof(Child).Assembly.GetName().Name!;
        bool isHost = Path.GetFileName(path) is var name && name != assembly && name != $"{assembly}.exe";
        string library = Path.Combine(AppContext.BaseDirectory, $"{assembly}.dll");
        if (isHost && !File.Exists(library))
            return null;

        var start = new ProcessStartInfo(path) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        if (isHost)
            start.ArgumentList.Add(library);
        start.ArgumentList.Add(Child.Switch);
        start.ArgumentList.Add(command);
        foreach ((string variable, string value) in environment)
            start.Environment[variable] = value;

        // A crash is expected of some: no dump of it.
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> error = process.StandardError.ReadToEndAsync();
            string[] lines = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            process.WaitForExit();
            return new(process.ExitCode, lines.LastOrDefault(string.Empty), error.GetAwaiter().GetResult());
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
