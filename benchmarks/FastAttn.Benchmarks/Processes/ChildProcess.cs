using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading.Tasks;

namespace FastAttn.Benchmarks.Processes;

/// <summary>A process that is run to its end.</summary>
internal static class ChildProcess
{
    /// <returns>Exit code and what it wrote to both streams; null where the program cannot be started or takes too long.</returns>
    public static ChildResult? Run(string program, IEnumerable<string> args, TimeSpan timeout, string folder = "", IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(program, args)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = folder,
        };
        // A build server would outlive the command and keep its output open, so that reading it would never end.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["UseSharedCompilation"] = "false";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>(StringComparer.Ordinal))
            start.Environment[name] = value;

        long begin = Stopwatch.GetTimestamp();
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(timeout))
            {
                process.Kill(entireProcessTree: true);
                return null;
            }

            TimeSpan duration = Stopwatch.GetElapsedTime(begin);
            return new ChildResult(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult(), duration);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
