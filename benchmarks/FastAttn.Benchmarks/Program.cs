using System;

using FastAttn.Benchmarks;

return BenchmarkCommandLine.Invoke(args, Console.Error);
