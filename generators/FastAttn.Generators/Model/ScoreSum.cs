namespace FastAttn.Generators.Model;

/// <summary>How a register tile of scores takes its sum over the head dimension.</summary>
internal enum ScoreSum
{
    /// <summary>Without a break.</summary>
    InOnePart,

    /// <summary>In parts, whose sum has registers of its own.</summary>
    PartsInRegisters,

    /// <summary>In parts, whose sum is kept where the scores go.</summary>
    PartsInMemory,
}
