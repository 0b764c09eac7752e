using System;
using System.IO;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using System.Threading;

using FastAttn.Tests.Fixtures;

using Xunit;

namespace FastAttn.Tests;

/// <summary>A collectible load context that has a library of its own.</summary>
public static class UnloadTests
{
    [Theory]
    [InlineData(nameof(UnloadedCalls.Run))]
    [InlineData(nameof(UnloadedCalls.RunAndTrim))]
    public static void Load_context_unloads_after_calls_on_threads(string calls)
    {
        Assert.SkipUnless(File.Exists(typeof(AttentionKernel).Assembly.Location), "The library is in no file of its own.");
        WeakReference context = LoadRunAndUnload(calls);
        Assert.True(
            SpinWait.SpinUntil(
                () =>
                {
                    GC.Collect();
                    GC.WaitForPendingFinalizers();
                    Thread.Sleep(20);
                    return !context.IsAlive;
                },
                TimeSpan.FromMinutes(1)),
            "Something still refers to the context.");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference LoadRunAndUnload(string calls)
    {
        var context = new OwnLibrary();
        Assembly tests = context.LoadFromAssemblyPath(typeof(UnloadTests).Assembly.Location);
        Type type = tests.GetType(typeof(UnloadedCalls).FullName!, throwOnError: true)!;
        type.GetMethod(calls)!.Invoke(null, null);
        context.Unload();
        return new(context);
    }

    private sealed class OwnLibrary() : AssemblyLoadContext(isCollectible: true)
    {
        protected override Assembly? Load(AssemblyName assemblyName)
        {
            Assembly library = typeof(AttentionKernel).Assembly;
            return assemblyName.Name == library.GetName().Name ? LoadFromAssemblyPath(library.Location) : null;
        }
    }
}
