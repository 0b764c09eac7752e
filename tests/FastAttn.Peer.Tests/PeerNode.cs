using System;
using System.Collections.Generic;
using System.Linq;

using Microsoft.ML.OnnxRuntime;

using Xunit;

namespace FastAttn.Peer.Tests;

/// <summary>A model of one node, run by ONNX Runtime.</summary>
/// <param name="Operator">Its operator.</param>
/// <param name="Domain">The operator's domain.</param>
/// <param name="Version">The version of the domain's operators.</param>
/// <param name="Attributes">Each a <see cref="long"/> or a <see cref="float"/>.</param>
/// <param name="Inputs">Its inputs in order; null for one that is left out.</param>
/// <param name="Outputs">Names of its outputs in order; empty for one that is left out.</param>
internal sealed record PeerNode(
    string Operator, string Domain, int Version, IReadOnlyDictionary<string, object> Attributes, PeerTensor?[] Inputs, string[] Outputs)
{
    // ModelProto.ir_version of ONNX 1.18, the first with Attention-23.
    private const int IrVersion = 11;

    /// <summary>Skips the test where the native library cannot be loaded.</summary>
    public static void MustBeLoadable()
    {
        try
        {
            _ = OrtEnv.Instance();
        }
        catch (Exception exception) when (exception is TypeInitializationException or DllNotFoundException or BadImageFormatException or EntryPointNotFoundException)
        {
            Assert.Skip($"ONNX Runtime cannot be loaded here: {exception.GetBaseException().Message}");
        }
    }

    /// <summary>The outputs, all of floats, in order.</summary>
    public float[][] Run()
    {
        PeerTensor[] present = [.. Inputs.OfType<PeerTensor>()];
        OrtValue[] values = [.. present.Select(static tensor => tensor.Value)];
        try
        {
            // One thread: it shares two cores with other tests, and its sums do not depend on their number.
            using var settings = new SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
            using var session = new InferenceSession(Model(), settings);
            using var options = new RunOptions();
            using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(
                options, [.. present.Select(static tensor => tensor.Name)], values, [.. Outputs.Where(static name => name.Length > 0)]);
            return [.. outputs.Select(static output => output.GetTensorDataAsSpan<float>().ToArray())];
        }
        finally
        {
            foreach (OrtValue value in values)
                value.Dispose();
        }
    }

    private byte[] Model()
    {
        // Field numbers are onnx.proto's.
        var node = new ProtobufWriter();
        foreach (PeerTensor? input in Inputs)
            node.Text(1, input?.Name ?? string.Empty);
        foreach (string output in Outputs)
            node.Text(2, output);
        node.Text(4, Operator).Text(7, Domain);
        foreach ((string name, object value) in Attributes)
        {
            ProtobufWriter attribute = new ProtobufWriter().Text(1, name);
            node.Embedded(5, value is float real ? attribute.Single(2, real).Integer(20, 1) : attribute.Integer(3, (long)value).Integer(20, 2));
        }

        ProtobufWriter graph = new ProtobufWriter().Embedded(1, node).Text(2, "one node");
        foreach (PeerTensor input in Inputs.OfType<PeerTensor>())
            graph.Embedded(11, Declaration(input.Name, input.ElementType, input.Dims));
        foreach (string output in Outputs.Where(static name => name.Length > 0))
            graph.Embedded(12, Declaration(output, 1, dims: null));
        ProtobufWriter model = new ProtobufWriter().Integer(1, IrVersion).Embedded(7, graph).Embedded(8, new ProtobufWriter().Text(1, Domain).Integer(2, Version));
        if (Domain.Length > 0)
            model.Embedded(8, new ProtobufWriter().Text(1, string.Empty).Integer(2, 23));
        return model.Message;
    }

    private static ProtobufWriter Declaration(string name, int elementType, long[]? dims)
    {
        ProtobufWriter tensor = new ProtobufWriter().Integer(1, elementType);
        if (dims is not null)
        {
            var shape = new ProtobufWriter();
            foreach (long dim in dims)
                shape.Embedded(1, new ProtobufWriter().Integer(1, dim));
            tensor.Embedded(2, shape);
        }

        return new ProtobufWriter().Text(1, name).Embedded(2, new ProtobufWriter().Embedded(1, tensor));
    }
}
