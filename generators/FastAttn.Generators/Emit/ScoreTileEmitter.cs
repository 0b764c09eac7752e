using System;
using System.Linq;

using FastAttn.Generators.Dialects;
using FastAttn.Generators.Model;

namespace FastAttn.Generators.Emit;

/// <summary>
/// Emits a register tile of scores, <c>S[j][q] = Σ_t K[j][t]·Qt[t][q] + bias[j][q]</c>, and the running maximum. A long sum over t is
/// taken in parts, and the sum of parts is kept where there is room for it: hence three shapes (<see cref="ScoreSum"/>).
/// </summary>
internal sealed class ScoreTileEmitter
{
    private readonly SourceWriter _writer;
    private readonly KernelPlan _plan;
    private readonly TileShape _tile;
    private readonly Dialect _dialect;
    private readonly bool _isFixed;
    private readonly string _headDim;
    private readonly Accumulators _terms;
    private readonly MicroKernelEmitter _kernel;

    /// <summary>Prepares a tile.</summary>
    /// <param name="writer">Where it is written.</param>
    /// <param name="plan">The sizes of the kernel.</param>
    /// <param name="tile">Keys and vectors of queries.</param>
    public ScoreTileEmitter(SourceWriter writer, KernelPlan plan, TileShape tile)
    {
        (_writer, _plan, _tile, _dialect) = (writer, plan, tile, plan.Dialect);
        _isFixed = plan.Dimensions.AreFixed;
        _headDim = _isFixed ? "TSizes.HeadDim" : "headDim";
        _terms = new(writer, _dialect, tile, plan.Width, "s");
        _kernel = new(writer, _dialect, tile, plan.Width, _terms);
    }

    /// <summary>Writes the tile's method.</summary>
    public void Emit()
    {
        _writer
            .Line()
            .Line($"/// <summary>S[j][q] = Σ_t K[j][t]·Qt[t][q] + bias[j][q] and max[q], {_tile.Rows} keys × {_tile.VectorsText} of queries at a time.</summary>")
            .Line(Header.Method("AggressiveOptimization"));
        string access = _isFixed ? "public" : "private", headDim = _isFixed ? string.Empty : "int headDim, ";
        using (_writer.Block($"{access} static void Scores{_tile}(ref float key, ref float query, ref float bias, ref float score, ref float max, int keyCount, {headDim}ref Prefetcher ahead)"))
        {
            _writer.Line("bool isBiased = !Unsafe.IsNullRef(ref bias);");
            if (!_isFixed)
                EmitSumLength();
            using (_writer.Block("for (int j = 0; ;)"))
            {
                EmitReferences();
                switch (_plan.SumOf(_tile))
                {
                    case ScoreSum.InOnePart:
                        EmitSumInOnePart();
                        break;
                    case ScoreSum.PartsInRegisters:
                        EmitSumOfPartsInRegisters();
                        break;
                    default:
                        EmitSumOfPartsInMemory();
                        break;
                }

                EmitNextKeys();
            }
        }
    }

    private void EmitReferences()
    {
        _writer.Line("ahead.Next();");
        if (_isFixed)
        {
            _writer.Line($"ref float a = ref Unsafe.Add(ref key, j * {_headDim});");
        }
        else
        {
            foreach (int row in Enumerable.Range(0, _tile.Rows))
                _writer.Line($"ref float row{row} = ref Unsafe.Add(ref key, (j + {row}) * {_headDim});");
        }

        _writer.Line($"""
            ref float b = ref query;
            ref float destination = ref Unsafe.Add(ref score, j * {_plan.Width});
            """);
    }

    /// <summary>The head dimension is so short that its sum is not divided.</summary>
    private void EmitSumInOnePart()
    {
        _writer.Line($"int t = 0, end = {_headDim};");
        EmitTerms(() =>
        {
            EmitBias(_terms, "isBiased");
            _terms.Store("destination");
            _writer.Line();
            EmitMax(_terms);
        });
    }

    /// <summary>The sum of parts has registers beside those of a part.</summary>
    private void EmitSumOfPartsInRegisters()
    {
        var sum = new Accumulators(_writer, _dialect, _tile, _plan.Width, "sum");
        EmitPartsComment();
        sum.Declare();
        using (_writer.Block($"for (int t = 0; t < {_headDim};)"))
        {
            _writer.Line($"int end = {PartEnd};");
            EmitTerms(() => sum.Add(_terms));
        }

        _writer.Line();
        EmitBias(sum, "isBiased");
        sum.Store("destination");
        _writer.Line();
        EmitMax(sum);
    }

    /// <summary>The sum of parts is kept where the scores go: each part but the first adds what is there.</summary>
    private void EmitSumOfPartsInMemory()
    {
        EmitPartsComment();
        using (_writer.Block($"for (int t = 0; t < {_headDim};)"))
        {
            _writer.Line($"int start = t, end = {PartEnd};");
            EmitTerms(() =>
            {
                using (_writer.Block("if (start > 0)"))
                    _terms.AddFrom("destination");
                _writer.Line();
                EmitBias(_terms, $"isBiased && t >= {_headDim}");
                _terms.Store("destination");
                _writer.Line();
                using (_writer.Block($"if (t < {_headDim})"))
                    _writer.Line("continue;");
                _writer.Line();
                EmitMax(_terms);
            });
        }
    }

    private string SumLength => _isFixed ? "TSizes.SumLength" : "sumLength";

    /// <summary>Where a part that begins at t ends. Parts of equal lengths need no comparison with the end of the sum.</summary>
    private string PartEnd => _plan.PartsAreEqual ? $"t + {SumLength}" : $"t + {SumLength} < {_headDim} ? t + {SumLength} : {_headDim}";

    private void EmitPartsComment() =>
        _writer.Line().Line("// The sum over t in parts: rounding errors grow with the length of a sum.");

    /// <summary>As <see cref="KernelPlan.SumLength"/>.</summary>
    private void EmitSumLength() => _writer.Line($"""
        int parts = headDim <= {2 * KernelPlan.MaxSumLength} ? 2 : (headDim + {KernelPlan.MaxSumLength - 1}) / {KernelPlan.MaxSumLength};
        int sumLength = ((headDim + parts - 1) / parts + {_plan.Unroll - 1}) / {_plan.Unroll} * {_plan.Unroll};
        """);

    /// <summary>The micro-kernel over terms t to end.</summary>
    private void EmitTerms(Action epilogue)
    {
        int head = _plan.Dimensions.Head, unroll = !_isFixed || head >= _plan.Unroll ? _plan.Unroll : 1;
        ScalarOperand keys = _isFixed ? ScalarOperand.TermAfterTerm(_headDim) : ScalarOperand.ReferencePerRow("t");
        _kernel.Emit(
            () => _writer.Line("// A key element times a vector of queries."),
            new(keys, "t", "end", unroll, LeavesTerms: !_isFixed || unroll == 1 || head % unroll != 0),
            epilogue);
    }

    private void EmitBias(Accumulators sum, string condition)
    {
        using (_writer.Block($"if ({condition})"))
        {
            _writer.Line($"""
                // Last: a bias may be large, and each sum with it is rounded at its size.
                ref float addend = ref Unsafe.Add(ref bias, j * {_plan.Width});
                """);
            sum.AddFrom("addend");
        }

        _writer.Line();
    }

    private void EmitMax(Accumulators sum)
    {
        _writer.Line("// The running maximum. It is read only now: all registers belong to the sum until here.");
        _writer.Line($"VecF {string.Join(", ", sum.ForVectors(v => $"max{v} = {_dialect.Load("max", v * _dialect.Width)}"))};");
        sum.ForEach((row, v) => $"max{v} = {_dialect.Max($"max{v}", sum[row, v])};");
        _writer.Line(string.Join(" ", sum.ForVectors(v => $"{_dialect.Store($"max{v}", "max", v * _dialect.Width)};")));
    }

    private void EmitNextKeys()
    {
        _writer.Line().Line($"""
            j += {_tile.Rows};
            if (j >= keyCount)
                break;
            """);
        using (_writer.Block($"if (j > keyCount - {_tile.Rows})"))
        {
            _writer.Line($"""
                // The last tile begins early: it computes some scores again, to the same values.
                j = keyCount - {_tile.Rows};
                """);
        }
    }
}
