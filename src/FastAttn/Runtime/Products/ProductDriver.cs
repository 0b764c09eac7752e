using System;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>The packed matrix product over the emitted tiles of one instruction set.</summary>
[ProductTiles]
internal abstract unsafe partial class ProductDriver
{
    private static readonly ProductDriver?[] s_drivers = new ProductDriver?[System.Enum.GetValues<InstructionSet>().Length];

    /// <summary>Floats in a vector.</summary>
    public abstract int Lanes { get; }

    /// <summary>Vectors in a full panel.</summary>
    public abstract int MaxVectors { get; }

    /// <summary>Rows in a block.</summary>
    public abstract int RowBlock { get; }

    /// <summary>Rows in a full tile.</summary>
    public abstract int TileRows { get; }

    /// <summary>The driver of an instruction set that this process can run.</summary>
    public static ProductDriver For(InstructionSet instructionSet)
    {
        ref ProductDriver? slot = ref s_drivers[(int)instructionSet];
        if (Volatile.Read(ref slot) is { } driver)
            return driver;
        driver = Create(instructionSet) ?? throw new ArgumentOutOfRangeException(nameof(instructionSet), instructionSet, "There are no tiles for it.");
        return Interlocked.CompareExchange(ref slot, driver, null) ?? driver;
    }

    /// <summary>Floats of scratch memory that a worker needs.</summary>
    /// <param name="projection">The product.</param>
    /// <param name="rows">The largest number of rows of a <see cref="Run"/>.</param>
    /// <param name="panels">The largest number of panels of a <see cref="Run"/>.</param>
    public abstract long WorkspaceFloats(in Projection projection, int rows, int panels);

    /// <summary>Computes rows × panels of C, with scratch memory of <see cref="WorkspaceFloats"/>.</summary>
    public abstract void Run(in Projection projection, int firstRow, int rows, int firstPanel, int endPanel, float* memory);

    /// <summary>Emitted: the driver over the tiles of an instruction set; null if there are none.</summary>
    private static partial ProductDriver? Create(InstructionSet instructionSet);
}
