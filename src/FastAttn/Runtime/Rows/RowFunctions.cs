using System;
using System.Threading;

namespace FastAttn.Runtime;

/// <summary>What layers do to rows of floats around products and attention, on the vectors of one instruction set.</summary>
internal abstract unsafe class RowFunctions
{
    private static readonly RowFunctions?[] s_functions = new RowFunctions?[Enum.GetValues<InstructionSet>().Length];

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

    private static RowFunctions Create(InstructionSet instructionSet) => instructionSet switch
    {
        InstructionSet.Avx512 => new RowFunctions<Lanes16>(),
        InstructionSet.Avx2 => new RowFunctions<Lanes8>(),
        InstructionSet.AdvSimd or InstructionSet.Vector128 => new RowFunctions<Lanes4>(),
        InstructionSet.Scalar => new RowFunctions<Lanes1>(),
        _ => throw new ArgumentOutOfRangeException(nameof(instructionSet), instructionSet, "There are no vectors for it."),
    };
}
