using System.CommandLine;

using FastAttn.Benchmarks;
using FastAttn.Benchmarks.Quick;

var root = new RootCommand("Benchmarks of FastAttn.")
{
    QuickCommand.Create(),
    BenchmarkDotNetCommand.Create(),
};
return root.Parse(args).Invoke();
