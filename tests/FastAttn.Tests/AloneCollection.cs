using System.Diagnostics.CodeAnalysis;

using Xunit;

namespace FastAttn.Tests;

/// <summary>Tests that measure the whole process: none runs beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
[SuppressMessage("Naming", "CA1711:Identifiers should not have incorrect suffix", Justification = "xunit's word.")]
public sealed class AloneCollection
{
    public const string Name = "Alone";
}
