namespace FastAttn.Benchmarks.Results;

/// <summary>How far a call raised the peak of the process' resident memory, in a process of its own.</summary>
/// <param name="Peer">Who computed it.</param>
/// <param name="Case">The case's name.</param>
/// <param name="KeyLength">L_k.</param>
/// <param name="ExtraBytes">Bytes over what inputs, output and a warm-up call on one key had taken.</param>
internal sealed record MemoryFigure(string Peer, string Case, int KeyLength, long ExtraBytes);
