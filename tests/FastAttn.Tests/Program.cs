using System;
using System.Threading.Tasks;

using FastAttn.Tests.Fixtures;

using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace FastAttn.Tests;

/// <summary>What xunit emits as an entry point, and before it the commands of <see cref="Child"/>.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args)
    {
        if (args is [Child.Switch, string command])
            return Task.FromResult(Child.Run(command));
        return Array.Exists(args, static arg => arg is "-automated" or "@@")
            ? ConsoleRunner.Run(args)
            : TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
    }
}
