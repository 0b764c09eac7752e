using System.Collections.Generic;

using FastAttn.Benchmarks.Workloads;

namespace FastAttn.Benchmarks.Quick;

/// <summary>Whole layers and projections, each beside ONNX Runtime's graph of the same.</summary>
internal static class LayerSuite
{
    /// <summary>
    /// Layers of known models: batches of an encoder, a prompt, one token after 4096 others. Then projections of their width, and of one row
    /// to that of a feed-forward layer.
    /// </summary>
    public static IReadOnlyList<Workload> Workloads
    {
        get
        {
            MultiHeadAttentionOptions bert = new() { ModelDim = 768, Heads = 12 }, gpt2 = bert with { Mask = AttentionMask.Causal };
            return
            [
                new LayerWorkload("layer BERT-base 8x128", bert, batch: 8, length: 128),
                new LayerWorkload("layer BERT-base 1x512", bert, batch: 1, length: 512),
                new LayerWorkload("layer GPT-2-small 1x1024 Causal", gpt2, batch: 1, length: 1024),
                new LayerWorkload("layer GPT-2-small 1 after 4096", gpt2, batch: 1, length: 1) { CachedLength = 4096 },
                new ProjectionWorkload(rows: 128, inputs: 768, outputs: 768),
                new ProjectionWorkload(rows: 512, inputs: 768, outputs: 768),
                ProjectionWorkload.OfOneRow(inputs: 768, outputs: 768),
                ProjectionWorkload.OfOneRow(inputs: 768, outputs: 3072),
            ];
        }
    }

    /// <summary>A row of FastAttn and one of ONNX Runtime directly behind it: a round takes one sample of each.</summary>
    public static IEnumerable<QuickRow> Rows(InstructionSet isa)
    {
        foreach (Workload workload in Workloads)
        {
            WorkloadRow own = new(workload, isa);
            yield return own;
            yield return new OnnxRuntimeRow(own);
        }
    }
}
