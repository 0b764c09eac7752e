using System;

using FastAttn.Runtime;

namespace FastAttn.Tests.Fixtures;

/// <summary>Tiles that do what a test says, dear enough for every thread.</summary>
internal readonly struct GivenWork(long tiles, Action<long> run) : ITiledWork
{
    public long Tiles => tiles;

    public double Cost => 1e12;

    public long WorkspaceFloats => 16;

    public void Run(long tile, long next, Workspace workspace) => run(tile);
}
