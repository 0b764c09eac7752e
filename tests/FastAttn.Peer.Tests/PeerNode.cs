using System;
using System.Collections.Generic;
using System.Linq;

using FastAttn.Benchmarks.Peers.Onnx;

using Microsoft.ML.OnnxRuntime;

using Xunit;

namespace FastAttn.Peer.Tests;

/// <summary>A model of one node, run by ONNX Runtime.</summary>
/// <param name="Operator">Its operator.</param>
/// <param name="Domain">The operator's domain.</param>
/// <param name="Version">The version of the standard's operators, where it is one of them.</param>
/// <param name="Attributes">Each a <see cref="long"/> or a <see cref="float"/>.</param>
/// <param name="Inputs">Its inputs in order; null for one that is left out.</param>
/// <param name="Outputs">Names of its outputs in order; empty for one that is left out.</param>
internal sealed record PeerNode(
    string Operator, string Domain, int Version, IReadOnlyDictionary<string, object> Attributes, PeerTensor?[] Inputs, string[] Outputs)
{
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
        var graph = new OnnxGraph();
        graph.Node(Operator, Domain, [.. Inputs.Select(static input => input?.Name ?? string.Empty)], Outputs, [.. Attributes.Select(static attribute => (attribute.Key, attribute.Value))]);
        foreach (PeerTensor input in Inputs.OfType<PeerTensor>())
            graph.Input(input.Name, input.Element, input.Dims);
        foreach (string output in Outputs.Where(static name => name.Length > 0))
            graph.Output(output);
        return Domain.Length == 0 ? graph.Model(Version) : graph.Model();
    }
}
