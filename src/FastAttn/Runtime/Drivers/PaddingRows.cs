using System;
using System.Runtime.CompilerServices;

namespace FastAttn.Runtime;

/// <summary>The rows of the output after the last query of a padded sequence: zeros, with a log-sum-exp of −∞.</summary>
internal static unsafe class PaddingRows
{
    /// <summary>
    /// Writes the padding rows that belong to a tile: the tile's rows past the end of its stream are, in order, the padding rows of the stream's heads.
    /// </summary>
    /// <param name="call">The call.</param>
    /// <param name="tile">The tile.</param>
    /// <param name="sequence">Its sequence.</param>
    /// <param name="streamRows">Rows of the stream that are queries.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Clear(in AttentionCall call, in QueryTile tile, in Sequence sequence, long streamRows)
    {
        int padding = call.Shape.QueryLength - sequence.QueryLength;
        int firstHead = tile.IsFolded ? tile.Stream * call.GroupSize : tile.Stream;
        for (long row = Math.Max(tile.FirstRow - streamRows, 0); row < tile.FirstRow + tile.RowCount - streamRows; row++)
        {
            (long head, long token) = (firstHead + row / padding, sequence.QueryLength + row % padding);
            AttentionStrides strides = call.Operands.OutputStrides;
            byte* output = call.Operands.OutputRow(sequence.QueryBatch * strides.Batch + head * strides.Head + token * strides.Length);
            new Span<byte>(output, (int)CallOperands.BytesOf(call.Operands.OutputElement, call.Operands.ValueDim)).Clear();
            if (call.Operands.LogSumExp != null)
                call.Operands.LogSumExp[(sequence.QueryBatch * (long)call.Shape.QueryHeads + head) * call.Shape.QueryLength + token] = float.NegativeInfinity;
        }
    }
}
