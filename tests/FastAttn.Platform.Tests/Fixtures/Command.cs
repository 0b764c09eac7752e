using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

using Xunit;

namespace FastAttn.Platform.Tests.Fixtures;

/// <summary>Starts processes.</summary>
internal static class Command
{
    /// <summary>Long enough for a loaded machine: it only ends what hangs.</summary>
    public static readonly TimeSpan LongTime = TimeSpan.FromMinutes(15);

    // What the process above us was told (dotnet test tells much) is not meant for the processes below.
    private static readonly string[] NotInherited = ["MSBUILD", "TESTINGPLATFORM_", "DOTNET_CLI_", "DOTNET_Enable", "FASTATTN_"];

    // The projects share the feed's folders and its package cache.
    private static readonly SemaphoreSlim OneBuild = new(1, 1);

    /// <summary>Runs <c>dotnet</c> with <paramref name="args"/>, when no other build is running.</summary>
    public static async Task<CommandResult> Dotnet(string folder, params string[] args)
    {
        await OneBuild.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            return await Run(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", args, folder: folder);
        }
        finally
        {
            OneBuild.Release();
        }
    }

    /// <summary>Runs a program to its end, and ends it with all its children where it takes longer than <paramref name="timeout"/>.</summary>
    public static async Task<CommandResult> Run(
        string file,
        IEnumerable<string> args,
        IReadOnlyDictionary<string, string>? environment = null,
        TimeSpan? timeout = null,
        string? folder = null)
    {
        var start = new ProcessStartInfo(file, args)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = folder ?? "",
        };
        foreach (string name in start.Environment.Keys.Where(IsNotInherited).ToList())
            start.Environment.Remove(name);

        // Build servers would outlive the command and hold its output open, but for a compiler that whoever runs all tests has started.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["UseSharedCompilation"] = start.Environment.ContainsKey("SharedCompilationId") ? "true" : "false";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["DOTNET_ROOT"] = Paths.DotnetRoot;
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>(StringComparer.Ordinal))
            start.Environment[name] = value;

        var text = new StringBuilder();
        void Append(object sender, DataReceivedEventArgs e)
        {
            lock (text)
                text.Append(e.Data).Append(e.Data is null ? "" : "\n");
        }

        var clock = Stopwatch.StartNew();
        using var process = new Process { StartInfo = start };
        process.OutputDataReceived += Append;
        process.ErrorDataReceived += Append;
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(timeout ?? LongTime);
        int? exitCode = null;
        try
        {
            await process.WaitForExitAsync(limit.Token);
            exitCode = process.ExitCode;
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
        }

        lock (text)
            return new CommandResult($"{file} {string.Join(' ', start.ArgumentList)}", exitCode, text.ToString(), clock.Elapsed);
    }

    private static bool IsNotInherited(string variable) =>
        Array.Exists(NotInherited, prefix => variable.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));
}
