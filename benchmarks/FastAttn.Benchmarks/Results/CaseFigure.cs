using System.Text.Json.Serialization;

using FastAttn.Benchmarks.Quick;
using FastAttn.Benchmarks.Stored;

namespace FastAttn.Benchmarks.Results;

/// <summary>The time of one peer for one case.</summary>
/// <param name="Group">The question that the case belongs to.</param>
/// <param name="Case">The case's name.</param>
/// <param name="QueryLength">L_q.</param>
/// <param name="KeyLength">L_k.</param>
/// <param name="HeadDim">d_k = d_v.</param>
/// <param name="Flops">Operations of the two products, of visible pairs only.</param>
/// <param name="Bytes">Bytes of Q, K, V, O and a mask.</param>
/// <param name="KeyValueBytes">Bytes of K and V.</param>
/// <param name="Peer">Who computed it.</param>
/// <param name="Threads">Threads that a call could use.</param>
/// <param name="Milliseconds">Time of a call.</param>
/// <param name="AllocatedBytes">Managed bytes that a call allocated on its own thread, rounded.</param>
/// <param name="Element">What keys and values are stored as.</param>
internal sealed record CaseFigure(
    string Group,
    string Case,
    int QueryLength,
    int KeyLength,
    int HeadDim,
    double Flops,
    double Bytes,
    double KeyValueBytes,
    string Peer,
    int Threads,
    Spread Milliseconds,
    long AllocatedBytes,
    StoredElement Element = StoredElement.Float32)
{
    [JsonIgnore]
    public double Gigaflops => Flops / Milliseconds.Median / 1e6;

    [JsonIgnore]
    public double KeyValueGigabytesPerSecond => KeyValueBytes / Milliseconds.Median / 1e6;

    /// <summary>Operations a byte that must be moved.</summary>
    [JsonIgnore]
    public double Intensity => Flops / Bytes;

    /// <summary>The case of the same sizes over floats: an element is the last word of a name.</summary>
    [JsonIgnore]
    public string CaseOfFloats => Element == StoredElement.Float32 ? Case : Case[..Case.LastIndexOf(' ')];

    [JsonIgnore]
    public bool IsDecode => QueryLength == 1;
}
