using System;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>What layers do to rows of floats around products and attention, on the vectors of one instruction set.</summary>
internal abstract unsafe class RowFunctions
{
    private static readonly RowFunctions?[] s_functions = new RowFunctions?[Enum.GetValues<InstructionSet>().Length];

    // Kept, since finding a forced instruction set allocates.
    private static RowFunctions? s_default;

    /// <summary>Those of <see cref="InstructionSets.Default"/>.</summary>
    /// <exception cref="PlatformNotSupportedException">As <see cref="InstructionSets.Default"/>.</exception>
    public static RowFunctions Default => Volatile.Read(ref s_default) ?? (s_default = For(InstructionSets.Default));

    /// <summary>The functions of an instruction set that this process can run.</summary>
    public static RowFunctions For(InstructionSet instructionSet)
    {
        ref RowFunctions? slot = ref s_functions[(int)instructionSet];
        return Volatile.Read(ref slot) ?? Interlocked.CompareExchange(ref slot, Create(instructionSet), null) ?? slot;
    }

    /// <inheritdoc cref="ElementRow{TVector}.Activate"/>
    public abstract void Activate(Activation activation, float* x, float* y, long count);

    /// <inheritdoc cref="ElementRow{TVector}.ActivateAndMultiply"/>
    public abstract void ActivateAndMultiply(Activation activation, float* x, float* z, float* y, long count);

    /// <summary>y[j] = e^x[j] / Σ_i e^x[i] for one row.</summary>
    /// <param name="x"><paramref name="dim"/> floats.</param>
    /// <param name="y">As many, written; may be <paramref name="x"/>.</param>
    /// <param name="dim">How many.</param>
    public abstract void Softmax(float* x, float* y, int dim);

    /// <summary>Normalises one row.</summary>
    public abstract void Normalise(in NormOperation norm, long row);

    private static RowFunctions Create(InstructionSet instructionSet) => InstructionSets.VectorLength(instructionSet) switch
    {
        16 => new RowFunctions<Lanes16>(),
        8 => new RowFunctions<Lanes8>(),
        4 => new RowFunctions<Lanes4>(),
        _ => new RowFunctions<Lanes1>(),
    };
}
