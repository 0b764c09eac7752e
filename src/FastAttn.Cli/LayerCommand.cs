using System;
using System.CommandLine;
using System.Diagnostics;
using System.IO;

using FastAttn.Cli.Npy;

namespace FastAttn.Cli;

/// <summary><c>fastattn layer</c>: self-attention by one layer of a checkpoint.</summary>
internal sealed class LayerCommand : Command
{
    private readonly Option<string> _weights = new("--weights") { Description = "The checkpoint: a safetensors file of F32, F16 or BF16.", HelpName = "file.safetensors", Required = true };
    private readonly Option<string> _prefix = new("--prefix") { Description = "What the names of the layer's tensors begin with, the dot included. Default: nothing.", HelpName = "name." };
    private readonly Option<string> _input = new("--input") { Description = "X: an .npy file of float32, [L,D] or [B,L,D].", HelpName = "file.npy", Required = true };
    private readonly Option<string> _output = new("--output") { Description = "Written whole or not at all, with as many axes as X.", HelpName = "file.npy", Required = true };

    private readonly Option<int?> _heads = ValueOption.Number<int>(
        "--heads", "Query heads. A checkpoint does not say; key-value heads follow from its shapes.", "an integer of at least 1", heads => heads >= 1);

    private readonly Option<AttentionMask?> _mask = ValueOption.OneOf(
        "--mask", "Which keys a query sees. Default: none.", AttentionMask.None, AttentionMask.Causal);

    private readonly Option<RotaryPairing?> _rotary = ValueOption.OneOf(
        "--rotary", "Turns queries and keys by their positions. Default: not.", RotaryPairing.HalfSplit, RotaryPairing.Interleaved);

    private readonly Option<double?> _rotaryBase = ValueOption.Number<double>(
        "--rotary-base", "The base of the rotary frequencies. Default: 10000.", "a positive finite number", number => number > 0 && double.IsFinite(number));

    private readonly Option<int?> _rotaryDim = ValueOption.Number<int>(
        "--rotary-dim", "How many elements of a head are turned. Default: all.", "an even integer of at least 2", number => number >= 2 && number % 2 == 0);

    private readonly Option<int?> _threads = ValueOption.Number<int>(
        "--threads", "The most threads. Default: all processors.", "an integer of at least 1", threads => threads >= 1);

    private readonly Option<InstructionSet?> _instructionSet = ValueOption.OneOf(
        "--isa", "The instruction set. Default: the best.", [.. InstructionSets.Supported]);

    public LayerCommand()
        : base("layer", "Runs one attention layer of a safetensors checkpoint over tokens from a file.")
    {
        Options.Add(_weights);
        Options.Add(_prefix);
        Options.Add(_input);
        Options.Add(_output);
        Options.Add(_heads);
        Options.Add(_mask);
        Options.Add(_rotary);
        Options.Add(_rotaryBase);
        Options.Add(_rotaryDim);
        Options.Add(_threads);
        Options.Add(_instructionSet);
        SetAction(Run);
    }

    private int Run(ParseResult parsed)
    {
        int heads = parsed.GetValue(_heads) ?? throw new InputException("--heads is missing: a checkpoint does not say how many it has.");
        RotaryPairing? pairing = parsed.GetValue(_rotary);
        if (pairing is null && (parsed.GetValue(_rotaryBase) is not null || parsed.GetValue(_rotaryDim) is not null))
            throw new InputException("--rotary is missing: --rotary-base and --rotary-dim need it.");
        string output = parsed.GetRequiredValue(_output);
        AtomicFile.CheckTarget("--output", output);
        InputArray input = InputArray.Read("--input", parsed.GetRequiredValue(_input));
        if (input.Array.Shape.Length is not (2 or 3))
            throw new InputException($"{input.Option} {input.Path}: has {input.Array.Shape.Length} axes; expected 2 or 3: [L,D] or [B,L,D].");

        MultiHeadAttention layer = new LayerFile(parsed.GetRequiredValue(_weights), parsed.GetValue(_prefix) ?? string.Empty)
            .Build(heads, pairing is { } known ? (known, parsed.GetValue(_rotaryBase) ?? 10000, parsed.GetValue(_rotaryDim)) : null, parsed.GetValue(_mask) ?? AttentionMask.None);
        if (parsed.GetValue(_instructionSet) is { } pinned)
            layer = layer.For(pinned);
        MultiHeadAttentionOptions options = layer.Options;
        int batch = input.Heads, length = input.Length;
        if (input.Dimension != options.QueryInputDim)
            throw new InputException($"{input.Option} {input.Path}: its last axis is {input.Dimension}; expected {options.QueryInputDim}, as the layer's weights have.");
        long elements = (long)batch * length * options.ModelDim, widest = (long)batch * length * options.Heads * Math.Max(options.HeadDim!.Value, options.ValueDim!.Value);
        if (Math.Max(elements, widest) > Array.MaxLength)
            throw new InputException($"{input.Option} {input.Path}: its {(long)batch * length} tokens need {Math.Max(elements, widest)} elements; {Array.MaxLength} are the most.");

        float[] result = new float[elements];
        long start = Stopwatch.GetTimestamp();
        layer.Forward(input.Array.Data, result, batch, length, maxDegreeOfParallelism: parsed.GetValue(_threads) ?? 0);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        AtomicFile.Write("--output", output, file => NpyFile.Write(file, new NpyArray([.. input.Array.Shape[..^1], options.ModelDim], result)));

        TextWriter writer = parsed.InvocationConfiguration.Output;
        writer.WriteLine(string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"layer   {options.Heads} heads, {options.KeyValueHeads} key-value heads, dimensions {options.HeadDim} and {options.ValueDim}, {options.QueryInputDim} to {options.ModelDim}, mask {options.Mask}"));
        writer.WriteLine(string.Create(
            System.Globalization.CultureInfo.InvariantCulture, $"tokens  {batch} x {length} in {elapsed.TotalMilliseconds:F2} ms, first call, on {layer.InstructionSet}"));
        return ExitCode.Success;
    }
}
