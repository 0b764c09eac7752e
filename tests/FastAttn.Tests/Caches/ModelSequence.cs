using System.Collections.Generic;
using System.Linq;

namespace FastAttn.Tests.Caches;

/// <summary>What a paged sequence is meant to be: pages that are objects, and tokens that are numbers.</summary>
internal sealed class ModelSequence
{
    public List<ModelPage> Pages { get; init; } = [];

    public int Length { get; set; }

    public int Evicted { get; set; }

    public int[] Tokens => [.. Pages.SelectMany(static page => page.Tokens).Take(Length - Evicted)];

    /// <summary>Drops the pages after the last token. The last page may have tokens after it, which belong to another sequence.</summary>
    public void Truncate(int length)
    {
        if (length >= Length)
            return;
        (Length, Evicted) = (length, length == 0 ? 0 : Evicted);
        int kept = length == 0 ? 0 : (length + ModelPage.Size - 1) / ModelPage.Size - Evicted / ModelPage.Size;
        Pages.RemoveRange(kept, Pages.Count - kept);
    }

    public void EvictBefore(int position)
    {
        while (Evicted + ModelPage.Size <= position)
        {
            Pages.RemoveAt(0);
            Evicted += ModelPage.Size;
        }
    }

    public ModelSequence Fork() => new() { Pages = [.. Pages], Length = Length, Evicted = Evicted };
}
