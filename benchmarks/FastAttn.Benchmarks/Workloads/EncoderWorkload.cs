using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;

using FastAttn.Benchmarks.Peers.Onnx;
using FastAttn.Embeddings;

using Microsoft.ML.OnnxRuntime;

namespace FastAttn.Benchmarks.Workloads;

/// <summary>A whole sentence encoder, all-MiniLM-L6-v2, over sequences of token ids: hidden states of all tokens.</summary>
/// <param name="name">Its name in tables.</param>
/// <param name="lengths">Tokens of each sequence.</param>
/// <param name="batching">How ONNX Runtime is given them; FastAttn takes them one after the other in one call, without padding.</param>
internal sealed class EncoderWorkload(string name, ImmutableArray<int> lengths, OnnxBatching batching = OnnxBatching.Padded) : Workload(name)
{
    /// <summary>Sequences of a batch that has been sorted.</summary>
    public const int SortedBatch = 8;

    // Of all-MiniLM-L6-v2.
    private const int Hidden = 384, Intermediate = 1536, Layers = 6;

    // Ids of whole words of the vocabulary.
    private const int FirstWord = 1996, LastWord = 29600;

    private AlignedBuffer? _output;

    public override double Flops => Layers * lengths.Sum(static length => 2.0 * length * (4 * Hidden * Hidden + 2 * Hidden * Intermediate) + 4.0 * length * length * Hidden);

    public override Reading? Reading => null;

    public override Memory<float> Output => (_output ??= new(lengths.Sum() * Hidden)).Memory;

    public override Action BindFastAttn(InstructionSet instructionSet, int threads)
    {
        EncoderModel model = MiniLm.Model.For(instructionSet);
        int[] ids = [.. Sequences().SelectMany(static sequence => sequence)], starts = new int[lengths.Length + 1];
        for (int i = 0; i < lengths.Length; i++)
            starts[i + 1] = starts[i] + lengths[i];
        Memory<float> output = Output;
        var execution = new AttentionExecution { MaxDegreeOfParallelism = threads };
        return () => model.Encode(ids, starts, output.Span, execution: execution);
    }

    public override Action BindOnnxRuntime(int threads)
    {
        Action[] calls = [.. Batches().Select(batch => BindBatch(batch, threads))];
        return () => Array.ForEach(calls, static call => call());
    }

    /// <summary>The same ids for every peer.</summary>
    private int[][] Sequences()
    {
        Random random = new(1);
        return [.. lengths.Select(length => Enumerable.Range(0, length).Select(_ => random.Next(FirstWord, LastWord)).ToArray())];
    }

    private IEnumerable<int[]> Batches()
    {
        int[] all = [.. Enumerable.Range(0, lengths.Length)];
        return batching switch
        {
            OnnxBatching.Padded => [all],
            OnnxBatching.OneByOne => all.Chunk(1),
            _ => all.OrderBy(i => lengths[i]).Chunk(SortedBatch),
        };
    }

    private Action BindBatch(int[] batch, int threads)
    {
        int[][] sequences = Sequences();
        int longest = batch.Max(i => lengths[i]);
        long[] ids = new long[batch.Length * longest], mask = new long[ids.Length], types = new long[ids.Length];
        for (int i = 0; i < batch.Length; i++)
        {
            for (int j = 0; j < lengths[batch[i]]; j++)
                (ids[i * longest + j], mask[i * longest + j]) = (sequences[batch[i]][j], 1);
        }

        // Without padding the states are written where they belong, else to a buffer. They are then copied, which takes less than a hundredth of the call.
        bool isInPlace = batch.Length == 1 || batching == OnnxBatching.Padded && lengths.All(length => length == longest);
        Memory<float> states = isInPlace ? Output.Slice(Start(batch[0]), ids.Length * Hidden) : new AlignedBuffer(ids.Length * Hidden).Memory;
        OrtIoBinding binding = MiniLm.Session(threads).CreateIoBinding();
        binding.BindInput("input_ids", OnnxSession.Tensor<long>(ids, batch.Length, longest));
        binding.BindInput("attention_mask", OnnxSession.Tensor<long>(mask, batch.Length, longest));
        binding.BindInput("token_type_ids", OnnxSession.Tensor<long>(types, batch.Length, longest));
        binding.BindOutput("last_hidden_state", OnnxSession.Tensor(states, batch.Length, longest, Hidden));
        Action call = OnnxSession.Call(MiniLm.Session(threads), binding);
        if (isInPlace)
            return call;
        Memory<float> output = Output;
        return () =>
        {
            call();
            for (int i = 0; i < batch.Length; i++)
                states.Span.Slice(i * longest * Hidden, lengths[batch[i]] * Hidden).CopyTo(output.Span[Start(batch[i])..]);
        };
    }

    private int Start(int sequence) => lengths[..sequence].Sum() * Hidden;
}
