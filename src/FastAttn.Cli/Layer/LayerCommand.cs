using System;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.IO;

using FastAttn.Cli.Npy;

using static System.FormattableString;

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
        "--rotary-base", "The base of the rotary frequencies. Default: the checkpoint's own, the tensor 'rotary_emb.inv_freq', else 10000.", "a positive finite number", number => number > 0 && double.IsFinite(number));

    private readonly Option<int?> _rotaryDim = ValueOption.Number<int>(
        "--rotary-dim", "How many elements of a head are turned. Default: all.", "an even integer of at least 2", number => number >= 2 && number % 2 == 0);

    private readonly Option<double?> _rotaryFactor = ValueOption.Number<double>(
        "--rotary-factor",
        "The factor of turned elements: YaRN's, 0.1*ln(s) + 1 for contexts s times as long. Default: 1.",
        "a positive number that is finite in float32",
        factor => factor > 0 && float.IsFinite((float)factor));

    private readonly Option<bool> _alibi = new("--alibi") { Description = "Scores fall with the distance by ALiBi's usual slopes, as in BLOOM." };

    private readonly Option<QkvOrder?> _order = ValueOption.Create<QkvOrder>(
        "--qkv-order",
        "The outputs of a matrix of query, key and value in one: all queries, all keys, all values; or for each key-value head its queries, key and value. Default: concatenated where it is named in_proj_weight, c_attn or qkv_proj.",
        "concatenated or per-head",
        ParseOrder);

    private readonly Option<AttentionWindow?> _window = ValueOption.Create<AttentionWindow>(
        "--window",
        "How many keys before a query's own it sees, and how many after. A model's window of 4096 is 4095. Default: all.",
        "LEFT or LEFT:RIGHT, integers of at least 0",
        ParseWindow);

    private readonly Option<float?> _scale = ValueOption.Number<float>(
        "--scale", "The factor of the scores. Default: 1/sqrt(head dimension).", "a finite number", float.IsFinite);

    private readonly Option<float?> _softcap = ValueOption.Number<float>(
        "--softcap", "c: scores become c*tanh(score/c) before any mask. Default: not.", "a number from 1e-20 to 1e20", cap => cap is >= 1e-20f and <= 1e20f);

    private readonly Option<string> _sinks = new("--sinks")
    {
        Description = "A sink for each head: an .npy file of float32, [heads]. A checkpoint's own, the tensor 'sinks', are used without it.",
        HelpName = "file.npy",
    };

    private readonly Option<NormKind?> _norm = ValueOption.OneOf(
        "--norm", "What norms of queries and keys are. Default: rms where they are named q_norm or query_norm, without biases and with one axis.", NormKind.Rms, NormKind.Layer);

    private readonly Option<bool> _normAfterRotary = new("--norm-after-rotary") { Description = "Such norms follow the rotary embedding, as in Hunyuan, instead of preceding it." };

    private readonly Option<float?> _normOffset = ValueOption.Number<float>(
        "--norm-offset", "What is added to the stored factors of such norms: 1 for Gemma. Default: 0.", "a finite number", float.IsFinite);

    private readonly Option<float?> _normEpsilon = ValueOption.Number<float>(
        "--norm-eps", "The epsilon of such norms. Default: 1e-6.", "a finite number of at least 0", epsilon => epsilon >= 0 && float.IsFinite(epsilon));

    private readonly Option<int?> _threads = ValueOption.Number<int>(
        "--threads", "The most threads. Default: all processors.", "an integer of at least 1", threads => threads >= 1);

    private readonly Option<InstructionSet?> _instructionSet = ValueOption.OneOf(
        "--isa", "The instruction set. Default: the best.", [.. InstructionSets.Supported]);

    public LayerCommand()
        : base("layer", "Runs one attention layer of a safetensors checkpoint over tokens from a file.")
    {
        _window.HelpName = "left[:right]";
        _order.HelpName = "concatenated|per-head";
        Options.Add(_weights);
        Options.Add(_prefix);
        Options.Add(_input);
        Options.Add(_output);
        Options.Add(_heads);
        Options.Add(_mask);
        Options.Add(_rotary);
        Options.Add(_rotaryBase);
        Options.Add(_rotaryDim);
        Options.Add(_rotaryFactor);
        Options.Add(_alibi);
        Options.Add(_order);
        Options.Add(_window);
        Options.Add(_scale);
        Options.Add(_softcap);
        Options.Add(_sinks);
        Options.Add(_norm);
        Options.Add(_normAfterRotary);
        Options.Add(_normOffset);
        Options.Add(_normEpsilon);
        Options.Add(_threads);
        Options.Add(_instructionSet);
        SetAction(Run);
    }

    private int Run(ParseResult parsed)
    {
        LayerSettings settings = ReadSettings(parsed);
        string output = parsed.GetRequiredValue(_output);
        AtomicFile.CheckTarget("--output", output);
        InputArray input = InputArray.Read("--input", parsed.GetRequiredValue(_input));
        if (input.Array.Shape.Length is not (2 or 3))
            throw new InputException($"{input.Name}: has {input.Array.Shape.Length} axes; expected 2 or 3: [L,D] or [B,L,D].");

        LayerFile file = LayerFile.Read(parsed.GetRequiredValue(_weights), parsed.GetValue(_prefix) ?? string.Empty, settings);
        MultiHeadAttention layer = file.Layer;
        if (parsed.GetValue(_instructionSet) is { } pinned)
            layer = layer.For(pinned);
        MultiHeadAttentionOptions options = layer.Options;
        int batch = input.Heads, length = input.Length;
        if (input.Dimension != options.QueryInputDim)
            throw new InputException($"{input.Name}: its last axis is {input.Dimension}; expected {options.QueryInputDim}, as the layer's weights have.");
        long elements = (long)batch * length * options.ModelDim, widest = (long)batch * length * options.Heads * Math.Max(options.HeadDim!.Value, options.ValueDim!.Value);
        if (Math.Max(elements, widest) > Array.MaxLength)
            throw new InputException($"{input.Name}: its {(long)batch * length} tokens need {Math.Max(elements, widest)} elements; {Array.MaxLength} are the most.");

        float[] result = new float[elements];
        long start = Stopwatch.GetTimestamp();
        // Without output there is nothing to compute. The length beside a batch of 0 may be huge, and the layer would make room for as many positions.
        if (elements > 0)
            layer.Forward(input.Array.Data, result, batch, length, new AttentionOptions { Sinks = file.Sinks, AlibiSlopes = file.AlibiSlopes }, execution: new() { MaxDegreeOfParallelism = parsed.GetValue(_threads) ?? 0 });
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        AtomicFile.Write("--output", output, target => NpyFile.Write(target, new NpyArray([.. input.Array.Shape[..^1], options.ModelDim], result)));

        foreach (string line in file.Ignored)
            parsed.InvocationConfiguration.Error.WriteLine(line);
        TextWriter writer = parsed.InvocationConfiguration.Output;
        writer.WriteLine(Invariant(
            $"layer   {options.Heads} heads, {options.KeyValueHeads} key-value heads, dimensions {options.HeadDim} and {options.ValueDim}, {options.QueryInputDim} to {options.ModelDim}, mask {options.Mask}"));
        foreach (string line in file.Notes)
            writer.WriteLine(line);
        writer.WriteLine(Invariant($"tokens  {batch} x {length} in {elapsed.TotalMilliseconds:F2} ms, first call, on {layer.InstructionSet}"));
        return ExitCode.Success;
    }

    /// <summary>Reads the options that describe the layer, and refuses those that would change nothing beside the others.</summary>
    private LayerSettings ReadSettings(ParseResult parsed)
    {
        LayerSettings settings = new()
        {
            Heads = parsed.GetValue(_heads) ?? throw new InputException("--heads is missing: a checkpoint does not say how many it has."),
            Mask = parsed.GetValue(_mask) ?? AttentionMask.None,
            Window = parsed.GetValue(_window),
            Scale = parsed.GetValue(_scale),
            Softcap = parsed.GetValue(_softcap),
            Rotary = parsed.GetValue(_rotary),
            RotaryBase = parsed.GetValue(_rotaryBase),
            RotaryDim = parsed.GetValue(_rotaryDim),
            RotaryFactor = parsed.GetValue(_rotaryFactor),
            Alibi = parsed.GetValue(_alibi),
            QkvOrder = parsed.GetValue(_order),
            Norm = parsed.GetValue(_norm),
            NormAfterRotary = parsed.GetValue(_normAfterRotary),
            NormOffset = parsed.GetValue(_normOffset),
            NormEpsilon = parsed.GetValue(_normEpsilon),
            Sinks = parsed.GetValue(_sinks) is { } path ? InputArray.Read("--sinks", path) : null,
        };
        if (settings.Rotary is null && (settings.RotaryBase ?? settings.RotaryDim ?? settings.RotaryFactor) is not null)
            throw new InputException($"--rotary is missing: {_rotaryBase.Name}, {_rotaryDim.Name} and {_rotaryFactor.Name} need it.");
        if (settings is { Rotary: null, NormAfterRotary: true })
            throw new InputException($"--rotary is missing: {_normAfterRotary.Name} needs it.");
        if (settings is { Mask: AttentionMask.Causal, Window.Right: > 0 })
            throw new InputException($"--window {settings.Window.Value.Left}:{settings.Window.Value.Right}: a query sees no key after its own by --mask causal.");
        return settings;
    }

    private static QkvOrder? ParseOrder(string text) => text.ToLowerInvariant() switch
    {
        "concatenated" => QkvOrder.Concatenated,
        "per-head" => QkvOrder.PerKeyValueHead,
        _ => null,
    };

    private static AttentionWindow? ParseWindow(string text)
    {
        string[] sides = text.Split(':');
        if (sides.Length > 2 || !TryParseSide(sides[0], out int left))
            return null;
        if (sides.Length == 1)
            return new AttentionWindow(left, null);
        return TryParseSide(sides[1], out int right) ? new AttentionWindow(left, right) : null;

        static bool TryParseSide(string side, out int keys) => int.TryParse(side, NumberStyles.None, CultureInfo.InvariantCulture, out keys);
    }
}
