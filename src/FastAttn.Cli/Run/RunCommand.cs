using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Linq;

namespace FastAttn.Cli;

/// <summary><c>fastattn run</c>: one attention, over random heads or over arrays from files.</summary>
internal sealed class RunCommand : Command
{
    private readonly Option<string> _query = File("--query", "Q: an .npy file of float32, [L,D], [H,L,D] or [B,H,L,D].");
    private readonly Option<string> _key = File("--key", "K: as many axes; the heads of the query may be a multiple of its heads.");
    private readonly Option<string> _value = File("--value", "V: as K; its last axis may have another size.");
    private readonly Option<string> _output = File("--output", "O: written whole or not at all, with as many axes as Q.");

    private readonly Option<AttentionMask?> _mask = ValueOption.OneOf(
        "--mask", "Which keys a query sees. Default: none; causal without arrays.", AttentionMask.None, AttentionMask.Causal);

    private readonly Option<float?> _scale = ValueOption.Number<float>(
        "--scale", "The factor of the scores. Default: 1/sqrt(D).", "a finite number", float.IsFinite);

    private readonly Option<int?> _positionOffset = ValueOption.Number<int>(
        "--position-offset", "Query i stands at key i + offset, and sees the keys up to there. Default: keys - queries; must be given where there are more queries than keys.", "an integer", _ => true);

    private readonly Option<int?> _threads = ValueOption.Number<int>(
        "--threads", "The most threads. Default: all processors.", "an integer of at least 1", threads => threads >= 1);

    private readonly Option<InstructionSet?> _instructionSet = ValueOption.OneOf(
        "--isa", "The instruction set. Default: the best.", [.. InstructionSets.Supported]);

    private readonly Option<bool> _check = new("--check") { Description = "Compare with the reference in double precision; always done without arrays." };

    public RunCommand()
        : base("run", "Attends over arrays from files or, without any, over random heads of GPT-2 small; prints the speed.")
    {
        Options.Add(_query);
        Options.Add(_key);
        Options.Add(_value);
        Options.Add(_output);
        Options.Add(_mask);
        Options.Add(_scale);
        Options.Add(_positionOffset);
        Options.Add(_threads);
        Options.Add(_instructionSet);
        Options.Add(_check);
        SetAction(Run);
    }

    private int Run(ParseResult parsed)
    {
        Option<string>[] files = [_query, _key, _value, _output];
        Option<string>[] missing = [.. files.Where(file => parsed.GetValue(file) is null)];
        TextWriter output = parsed.InvocationConfiguration.Output, error = parsed.InvocationConfiguration.Error;
        var attention = new AttentionRun
        {
            Execution = new AttentionExecution { MaxDegreeOfParallelism = parsed.GetValue(_threads) ?? 0 },
            InstructionSet = parsed.GetValue(_instructionSet),
        };

        if (missing.Length == files.Length)
        {
            Refuse(parsed, _scale, "needs arrays");
            Refuse(parsed, _positionOffset, "needs arrays");
            return RandomHeads.Run(parsed.GetValue(_mask) ?? AttentionMask.Causal, attention, output, error);
        }

        if (missing.Length > 0)
            throw new InputException($"{missing[0].Name} is missing: --query, --key, --value and --output go together.");
        AttentionMask mask = parsed.GetValue(_mask) ?? AttentionMask.None;
        if (mask != AttentionMask.Causal)
            Refuse(parsed, _positionOffset, "needs --mask causal");
        var arrays = new ArrayFiles(
            parsed.GetRequiredValue(_query), parsed.GetRequiredValue(_key), parsed.GetRequiredValue(_value), parsed.GetRequiredValue(_output))
        {
            Mask = mask,
            Scale = parsed.GetValue(_scale),
            PositionOffset = parsed.GetValue(_positionOffset),
        };
        return arrays.Run(attention, parsed.GetValue(_check), output, error);
    }

    private static void Refuse<T>(ParseResult parsed, Option<T?> option, string reason)
        where T : struct
    {
        if (parsed.GetValue(option) is { } value)
            throw new InputException(string.Create(CultureInfo.InvariantCulture, $"{option.Name} {value}: {reason}."));
    }

    private static Option<string> File(string name, string description) => new(name) { Description = description, HelpName = "file.npy" };
}
