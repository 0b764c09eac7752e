using System;

using FastAttn.Benchmarks.Peers;
using FastAttn.Benchmarks.Peers.Onnx;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class OnnxModelTests
{
    [Theory]
    [InlineData("MultiHeadAttention", AttentionMask.None)]
    [InlineData("MultiHeadAttention", AttentionMask.Causal)]
    [InlineData("Attention", AttentionMask.None)]
    [InlineData("Attention", AttentionMask.Causal)]
    public void Onnx_Runtime_takes_the_model_and_computes_the_same(string op, AttentionMask mask)
    {
        // Binding checks the result to 1e-4, and an output that is left unwritten is NaN.
        var peer = new OnnxRuntimePeer(Enum.Parse<OnnxOperator>(op));
        var @case = new AttentionCase("test", new AttentionShape(batch: 2, heads: 3, length: 37), 24, mask);
        var buffers = new AttentionBuffers(2 * 3 * 37 * 24, 2 * 3 * 37 * 24);

        Assert.NotNull(CheckedBinding.Bind(peer, @case, buffers, threads: 1));
    }

    [Fact]
    public void A_varint_has_seven_bits_a_byte() =>
        Assert.Equal([0x08, 0xAC, 0x02], new ProtobufWriter().Integer(1, 300).ToArray());

    [Fact]
    public void A_message_in_a_message_has_its_length_before_it() =>
        Assert.Equal([0x1A, 0x03, 0x12, 0x01, (byte)'x'], new ProtobufWriter().Message(3, new ProtobufWriter().Text(2, "x")).ToArray());
}
