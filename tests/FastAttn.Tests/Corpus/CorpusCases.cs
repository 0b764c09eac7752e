using System;
using System.Collections.Generic;

using FastAttn.Tests.Fixtures;
using FastAttn.Tests.MultiHead;

namespace FastAttn.Tests.Corpus;

/// <summary>The calls of the corpus: each gives the floats that one kernel writes on one instruction set.</summary>
internal static class CorpusCases
{
    private const int Drawn = 300;

    /// <summary>Names and calls, always in the same order.</summary>
    public static IEnumerable<(string Name, Func<InstructionSet, float[]> Run)> All()
    {
        for (int seed = 0; seed < Drawn; seed++)
        {
            var random = new Random(seed);
            Case call = FeatureCases.DrawCall(random);
            Case drawn = FeatureCases.Draw(random, call, FeatureCases.DrawFeatures(random, chance: 0.25));
            yield return ($"drawn-{seed:000}", set => Attend(drawn, set));
            if (drawn.QueryStarts is null)
                yield return ($"weights-{seed:000}", set => Weights(drawn, set));
        }

        // Over many keys, which are summed in blocks and parts of blocks.
        foreach (int keys in (int[])[1000, 4200, 13000])
        {
            foreach (int queries in (int[])[1, 5, 50])
            {
                foreach (AttentionMask mask in Enum.GetValues<AttentionMask>())
                {
                    var call = new Case(64, 80, mask, new(1, 4, 2, queries, keys));
                    yield return ($"keys-{keys}-queries-{queries}-{mask}", set => Attend(call, set));
                    yield return ($"keys-{keys}-queries-{queries}-{mask}-window", set => Attend(call with { Window = AttentionWindow.Sliding(3501), Sinks = [1, 2, 3, float.NegativeInfinity] }, set));
                    yield return ($"keys-{keys}-queries-{queries}-{mask}-alibi", set => Attend(call with { AlibiSlopes = AlibiSlopes.For(4), Softcap = 30 }, set));
                }
            }
        }

        // Layers choose their instruction set themselves: only the default's is recorded.
        foreach ((string name, MultiHeadAttentionOptions options) in Layers())
        {
            MultiHeadAttention layer = new Layer(options, hasNorm: true).Build();
            yield return ($"layer-{name}", set => set == InstructionSets.Default ? Project(layer, options.ModelDim) : []);
        }
    }

    private static IEnumerable<(string Name, MultiHeadAttentionOptions Options)> Layers()
    {
        var plain = new MultiHeadAttentionOptions { ModelDim = 96, Heads = 4 };
        yield return ("plain", plain);
        yield return ("causal", plain with { Mask = AttentionMask.Causal });
        yield return ("grouped", plain with { KeyValueHeads = 2, HeadDim = 40, ValueDim = 24 });
        yield return ("rotary", plain with { Mask = AttentionMask.Causal, Rotary = new(24) });
        yield return ("wide", plain with { ModelDim = 320, NormKind = NormKind.Layer });
    }

    private static float[] Attend(Case call, InstructionSet set)
    {
        Outputs<float> outputs = call.Run(call.Kernel.For(set), Inputs.Normal(call));
        return [.. outputs.Output, .. outputs.LogSumExp];
    }

    private static float[] Weights(Case call, InstructionSet set)
    {
        AttentionShape shape = call.Shape;
        Inputs inputs = Inputs.Normal(call);
        var weights = new float[shape.Batch * shape.QueryHeads * shape.QueryLength * shape.KeyLength];
        call.ComputeWeights(call.Kernel.For(set), inputs, weights);
        return weights;
    }

    private static float[] Project(MultiHeadAttention layer, int modelDim)
    {
        const int Batch = 2, Length = 70;
        var input = new float[Batch * Length * modelDim];
        RandomData.FillNormal(input, new Random(1));
        var output = new float[input.Length];
        layer.Forward(input, output, Batch, Length);
        return output;
    }
}
