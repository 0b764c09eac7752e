using FastAttn.Platform.Tests.Fixtures;

using Xunit;
using Xunit.Sdk;
using Xunit.v3;

// Two classes at a time: a test run ends on one core, and a build uses one for most of its time. Builds take turns (Command.Dotnet).
[assembly: Parallelization(Mode = ParallelMode.Collections, MaxThreads = 2)]
[assembly: AssemblyFixture(typeof(PackageFeed))]
