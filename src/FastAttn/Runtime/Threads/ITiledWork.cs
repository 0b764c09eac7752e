namespace FastAttn.Runtime;

/// <summary>Work in tiles that may be done in any order and at the same time (<see cref="TiledJob{TWork}"/>).</summary>
internal interface ITiledWork
{
    /// <summary>Tiles.</summary>
    long Tiles { get; }

    /// <summary>The work of all tiles, in multiply-adds or what takes as long.</summary>
    double Cost { get; }

    /// <summary>Floats of scratch memory that a worker needs.</summary>
    long WorkspaceFloats { get; }

    /// <summary>Does one tile.</summary>
    /// <param name="tile">Which.</param>
    /// <param name="next">The tile that this worker will probably do next, so that its memory can be prefetched; −1 for none.</param>
    /// <param name="workspace">Scratch memory.</param>
    void Run(long tile, long next, Workspace workspace);
}
