using FastAttn.Platform.Tests.Fixtures;

using Xunit;
using Xunit.Sdk;
using Xunit.v3;

// Every test starts compilers or whole test runs, which use all cores by themselves and share the feed's folders.
[assembly: Parallelization(Mode = ParallelMode.None)]
[assembly: AssemblyFixture(typeof(PackageFeed))]
