using System.Diagnostics.CodeAnalysis;

namespace FastAttn.Tests.Caches;

/// <summary>What a pool keeps its keys or values as.</summary>
[SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "The types are what it names.")]
public enum PagedFormat
{
    Float32,
    Float16,
    BFloat16,
    Int8PerToken,
    Int8PerChannel,
    Int8Groups,
    Int4Groups,
    Int4PerChannel,
}
