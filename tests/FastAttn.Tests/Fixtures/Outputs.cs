namespace FastAttn.Tests.Fixtures;

/// <summary>What a call wrote.</summary>
/// <typeparam name="T">The arithmetic it was computed in.</typeparam>
/// <param name="Output">O, placed as the case says.</param>
/// <param name="LogSumExp">LSE, [B, H, Lq].</param>
internal sealed record Outputs<T>(T[] Output, T[] LogSumExp);
