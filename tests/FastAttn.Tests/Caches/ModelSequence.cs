using System.Collections.Generic;
using System.Linq;

namespace FastAttn.Tests.Caches;

/// <summary>What a paged sequence is meant to be: pages that are objects, and tokens that are numbers.</summary>
internal sealed class ModelSequence
{
    public List<ModelPage> Pages { get; init; } = [];

    public int Length { get; set; }

    public int Evicted { get; set; }

    /// <summary>The position of the next token.</summary>
    public int Position { get; set; }

    public int[] Tokens => [.. Pages.SelectMany(static page => page.Tokens).Take(Length - Evicted)];

    /// <summary>Drops the pages after the last token. The last page may have tokens after it, which belong to another sequence.</summary>
    public void Truncate(int length)
    {
        if (length >= Length)
            return;
        Position = length == 0 ? 0 : Pages.SelectMany(static page => page.Positions).ElementAt(length - Evicted);
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

    /// <summary>Drops the pages whose tokens all are from one index to before another; returns how many tokens that are.</summary>
    public int EvictBetween(int start, int end)
    {
        int index = Evicted, length = Length;
        foreach (ModelPage page in Pages.ToArray())
        {
            if (index >= start && index + ModelPage.Size <= end)
            {
                Pages.Remove(page);
                Length -= ModelPage.Size;
            }

            index += ModelPage.Size;
        }

        return length - Length;
    }

    public ModelSequence Fork() => new() { Pages = [.. Pages], Length = Length, Evicted = Evicted, Position = Position };
}
