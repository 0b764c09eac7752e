using System.Collections.Generic;

namespace FastAttn.Tests.Caches;

/// <summary>A page of the model: the tokens in it.</summary>
internal sealed class ModelPage
{
    public const int Size = 16;

    public List<int> Tokens { get; } = [];

    /// <summary>The position of each token.</summary>
    public List<int> Positions { get; } = [];
}
