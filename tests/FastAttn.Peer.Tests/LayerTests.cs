using FastAttn.Benchmarks.Workloads;

using Xunit;

namespace FastAttn.Peer.Tests;

/// <summary>Whole layers of known models, projections included, as graphs that ONNX Runtime runs.</summary>
public sealed class LayerTests(ITestOutputHelper log)
{
    private static readonly MultiHeadAttentionOptions Bert = new() { ModelDim = 768, Heads = 12 };
    private static readonly MultiHeadAttentionOptions Gpt2 = Bert with { Mask = AttentionMask.Causal };
    private static readonly MultiHeadAttentionOptions Whisper = new() { ModelDim = 512, Heads = 8 };
    private static readonly MultiHeadAttentionOptions Llama = new() { ModelDim = 1024, Heads = 16, KeyValueHeads = 4, Rotary = new(64), Mask = AttentionMask.Causal };

    [Fact]
    public void BERT_base_with_padding_agrees_with_ONNX_Runtime() =>
        Agrees(new("BERT-base", Bert, batch: 3, length: 100) { KeyLengths = [100, 61, 1] });

    [Fact]
    public void GPT_2_small_agrees_with_ONNX_Runtime() => Agrees(new("GPT-2-small", Gpt2, batch: 1, length: 300));

    [Fact]
    public void Decoding_step_of_GPT_2_small_agrees_with_ONNX_Runtime() =>
        Agrees(new("GPT-2-small, 1 token after 300", Gpt2, batch: 1, length: 1) { CachedLength = 300 });

    [Fact]
    public void Encoder_of_Whisper_base_agrees_with_ONNX_Runtime() =>
        Agrees(new("Whisper-base encoder", Whisper, batch: 1, length: 1500) { HasKeyBias = false });

    [Fact]
    public void Cross_attention_of_Whisper_base_agrees_with_ONNX_Runtime() =>
        Agrees(new("Whisper-base decoder to encoder", Whisper, batch: 1, length: 32) { MemoryLength = 1500, HasKeyBias = false });

    [Fact]
    public void Llama_like_layer_agrees_with_ONNX_Runtime() => Agrees(OfLlama("Llama-like", Llama));

    [Fact]
    public void Llama_like_layer_with_a_cache_agrees_with_ONNX_Runtime() =>
        Agrees(new("Llama-like, 2 × 1 token after 70", Llama, batch: 2, length: 1) { CachedLength = 70, HasBias = false });

    // What these layers compute differs from ONNX Runtime's graph in one thing each: the comparison must see it.
    [Fact]
    public void Layers_that_compute_something_else_disagree()
    {
        LayerWorkload llama = OfLlama("Llama-like", Llama), bert = new("BERT-base", Bert, batch: 2, length: 20) { KeyLengths = [20, 13] };
        Disagrees(OfLlama("Llama-like without rotary embedding", Llama with { Rotary = null }), llama);
        Disagrees(OfLlama("Llama-like, interleaved", Llama with { Rotary = new(64, RotaryPairing.Interleaved) }), llama);
        Disagrees(OfLlama("Llama-like with another base", Llama with { Rotary = new(64, frequencyBase: 500_000) }), llama);
        Disagrees(new("BERT-base with 6 heads", Bert with { Heads = 6 }, batch: 2, length: 20) { KeyLengths = [20, 13] }, bert);
        Disagrees(new("BERT-base without padding", Bert, batch: 2, length: 20), bert);
        Disagrees(new("BERT-base, causal", Gpt2, batch: 2, length: 20) { KeyLengths = [20, 13] }, bert);
    }

    private static LayerWorkload OfLlama(string name, MultiHeadAttentionOptions options) => new(name, options, batch: 1, length: 200) { HasBias = false };

    private void Agrees(LayerWorkload layer)
    {
        double error = RelativeError(layer, layer);
        log.WriteLine($"{layer.Name}: relative error {error:G3}");
        Assert.InRange(error, 0, Workload.Tolerance);
    }

    private void Disagrees(LayerWorkload other, LayerWorkload layer)
    {
        double error = RelativeError(other, layer);
        log.WriteLine($"{other.Name} against {layer.Name}: relative error {error:G3}");
        Assert.True(error > 100 * Workload.Tolerance, $"The relative error is {error:G3}.");
    }

    /// <summary>FastAttn runs one layer, ONNX Runtime the other; numbers of equal sizes are the same.</summary>
    private static double RelativeError(LayerWorkload own, LayerWorkload peer)
    {
        PeerNode.MustBeLoadable();
        return Workload.RelativeError(own.Run(own.BindFastAttn(InstructionSets.Default, threads: 1)), peer.Run(peer.BindOnnxRuntime(threads: 1)));
    }
}
