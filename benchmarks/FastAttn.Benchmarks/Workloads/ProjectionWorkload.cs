using System;
using System.Threading;
using System.Linq;

using FastAttn.Benchmarks.Peers.Onnx;
using FastAttn.Runtime;

using Microsoft.ML.OnnxRuntime;

namespace FastAttn.Benchmarks.Workloads;

/// <summary>
/// A linear projection, [rows, inputs] × [inputs, outputs], done with one matrix after another. With one row its time is that of reading the
/// weights.
/// </summary>
internal sealed class ProjectionWorkload(int rows, int inputs, int outputs, int matrices = 1) : Workload($"projection {rows}x{inputs}x{outputs}")
{
    /// <summary>Several times the level-3 cache of a core complex.</summary>
    private const int UncachedFloats = (128 << 20) / sizeof(float);

    private AlignedBuffer? _input;
    private AlignedBuffer? _output;
    private float[]? _weights;

    /// <summary>One row and as many matrices as no cache holds: in a model, the other layers drive out a layer's weights.</summary>
    public static ProjectionWorkload OfOneRow(int inputs, int outputs) => new(1, inputs, outputs, UncachedFloats / (inputs * outputs) + 1);

    public override double Flops => 2.0 * matrices * rows * inputs * outputs;

    public override Reading? Reading => rows > 1 ? null : new($"{matrices} matrices of weights", sizeof(float) * (double)matrices * inputs * outputs);

    public override Memory<float> Output => (_output ??= new AlignedBuffer(matrices * rows * outputs)).Memory;

    private Memory<float> Input
    {
        get
        {
            if (_input is null)
            {
                _input = new AlignedBuffer(rows * inputs);
                NormalNumbers.Fill(_input.Span, seed: 1);
            }

            return _input.Memory;
        }
    }

    public override unsafe Action BindFastAttn(InstructionSet instructionSet, int threads)
    {
        ProductDriver product = ProductDriver.For(instructionSet);
        PackedMatrix[] weights =
            [.. Enumerable.Range(0, matrices).Select(i => new PackedMatrix(Weights(i), isInputOutput: true, outputs, [], inputs, outputs, product))];
        Memory<float> input = Input, output = Output;
        return () =>
        {
            // Both buffers are pinned already, so that fixed costs nothing.
            fixed (float* a = input.Span, c = output.Span)
            {
                for (int i = 0; i < weights.Length; i++)
                {
                    ProductCall call = new(product, rows);
                    call.Add(new(a, inputs, weights[i], c + i * rows * outputs, outputs));
                    call.Run(threads, CancellationToken.None);
                }
            }
        };
    }

    public override Action BindOnnxRuntime(int threads)
    {
        // ONNX Runtime packs weights only where they are constants of the graph.
        var graph = new OnnxGraph();
        for (int i = 0; i < matrices; i++)
        {
            graph.Constant($"weights {i}", Weights(i), inputs, outputs)
                .Node("MatMul", OnnxGraph.Standard, ["input", $"weights {i}"], [$"output {i}"])
                .Output($"output {i}");
        }

        InferenceSession session = OnnxSession.Create(graph.Input("input", OnnxElement.Float, rows, inputs).Model(), threads);
        OrtIoBinding binding = session.CreateIoBinding();
        binding.BindInput("input", OnnxSession.Tensor(Input, rows, inputs));
        for (int i = 0; i < matrices; i++)
            binding.BindOutput($"output {i}", OnnxSession.Tensor(Output.Slice(i * rows * outputs, rows * outputs), rows, outputs));
        return OnnxSession.Call(session, binding);
    }

    /// <summary>Matrix i begins at element i of numbers that all share: it has other rows than the next.</summary>
    private ReadOnlySpan<float> Weights(int i)
    {
        if (_weights is null)
        {
            _weights = new float[inputs * outputs + matrices];
            NormalNumbers.Fill(_weights, seed: 2, 1 / MathF.Sqrt(inputs));
        }

        return _weights.AsSpan(i, inputs * outputs);
    }
}
