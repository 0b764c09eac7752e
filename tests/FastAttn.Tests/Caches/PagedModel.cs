using System;
using System.Collections.Generic;
using System.Linq;

using Xunit;

namespace FastAttn.Tests.Caches;

/// <summary>
/// A pool with its sequences and a model of both, which take the same steps. The model counts no references: a page is taken as long as some sequence has it, and shared
/// where two have it.
/// </summary>
internal sealed class PagedModel : IDisposable
{
    private const int MaxSequences = 6;

    private readonly int _pageCount;
    private readonly KeyValuePagePool _pool;
    private readonly PagedBatch _batch;
    private readonly List<(PagedSequence Actual, ModelSequence Model)> _sequences = [];
    private int _nextToken;

    /// <summary>Takes a pool, all of whose pages are free, and disposes of it in the end.</summary>
    public PagedModel(KeyValuePagePool pool)
    {
        _pageCount = pool.PageCount;
        _pool = pool;
        _batch = new(_pool);
    }

    /// <summary>Appends that the pool had too few pages for.</summary>
    public int Refused { get; private set; }

    public void Dispose() => _pool.Dispose();

    /// <summary>Takes one step and compares.</summary>
    public void Take(PagedStep step)
    {
        if (_sequences.Count == 0 || step.Kind == PagedStepKind.Create)
        {
            if (_sequences.Count < MaxSequences)
                Add(new(_pool), new());
        }
        else
        {
            Take(step, step.Sequence % _sequences.Count);
        }

        Compare();
    }

    private void Take(PagedStep step, int index)
    {
        (PagedSequence actual, ModelSequence model) = _sequences[index];
        switch (step.Kind)
        {
            case PagedStepKind.Append:
                Append(actual, model, step.Number % 40);
                break;
            case PagedStepKind.Fork when _sequences.Count < MaxSequences:
                Add(actual.Fork(), model.Fork());
                break;
            case PagedStepKind.Truncate:
                // Below the evicted tokens there is nothing but 0.
                int length = step.Number % (model.Length + 2);
                length = length < model.Evicted ? 0 : length;
                actual.Truncate(length);
                model.Truncate(length);
                break;
            case PagedStepKind.Evict:
                int position = step.Number % (model.Length + 1);
                actual.EvictBefore(position);
                model.EvictBefore(position);
                break;
            case PagedStepKind.EvictBetween:
                var random = new Random(step.Number);
                int start = random.Next(model.Evicted, model.Length + 1), end = random.Next(start, model.Length + 1);
                Assert.Equal(model.EvictBetween(start, end), actual.EvictBetween(start, end));
                break;
            case PagedStepKind.Dispose:
                actual.Dispose();
                _sequences.RemoveAt(index);
                _batch.RemoveAt(index);
                break;
            case PagedStepKind.Reorder:
                Reorder(step.Number);
                break;
        }
    }

    private void Add(PagedSequence actual, ModelSequence model)
    {
        _sequences.Add((actual, model));
        _batch.Add(actual);
    }

    private void Append(PagedSequence actual, ModelSequence model, int count)
    {
        int[] tokens = PagedTokens.Range(_nextToken, count);
        _nextToken += count;
        int inside = model.Length % ModelPage.Size, free = _pageCount - Taken();
        bool isCopied = count > 0 && inside != 0 && _sequences.Count(other => other.Model.Pages.Contains(model.Pages[^1])) > 1;
        int needed = (isCopied ? 1 : 0) + (model.Length + count + ModelPage.Size - 1) / ModelPage.Size - (model.Length + ModelPage.Size - 1) / ModelPage.Size;
        Assert.Equal(needed, actual.PagesNeeded(count));
        if (needed > free)
        {
            string message = Assert.Throws<InvalidOperationException>(() => PagedTokens.Append(actual, tokens)).Message;
            Assert.Contains($"needs {needed}, and {free} of {_pageCount} are free", message, StringComparison.Ordinal);
            Refused++;
            return;
        }

        PagedTokens.Append(actual, tokens);
        if (count > 0 && inside != 0)
        {
            var own = new ModelPage();
            own.Tokens.AddRange(model.Pages[^1].Tokens.Take(inside));
            own.Positions.AddRange(model.Pages[^1].Positions.Take(inside));
            if (isCopied)
            {
                model.Pages[^1] = own;
            }
            else
            {
                model.Pages[^1].Tokens.RemoveRange(inside, model.Pages[^1].Tokens.Count - inside);
                model.Pages[^1].Positions.RemoveRange(inside, model.Pages[^1].Positions.Count - inside);
            }
        }

        foreach (int token in tokens)
        {
            if (model.Length % ModelPage.Size == 0)
                model.Pages.Add(new());
            model.Pages[^1].Tokens.Add(token);
            model.Pages[^1].Positions.Add(model.Position++);
            model.Length++;
        }
    }

    private void Reorder(int number)
    {
        var random = new Random(number);
        int[] sources = [.. _sequences.Select(_ => random.Next(_sequences.Count))];
        _batch.Reorder(sources);
        ModelSequence[] models = [.. _sequences.Select(static sequence => sequence.Model)];
        for (int b = 0; b < sources.Length; b++)
            _sequences[b] = (_sequences[b].Actual, models[sources[b]].Fork());
    }

    private int Taken() => _sequences.SelectMany(static sequence => sequence.Model.Pages).Distinct().Count();

    private void Compare()
    {
        Assert.Equal(_pageCount - Taken(), _pool.FreePages);
        var pages = new Dictionary<int, ModelPage>();
        foreach ((PagedSequence actual, ModelSequence model) in _sequences)
        {
            Assert.Equal((model.Length, model.Evicted, model.Position), (actual.Length, actual.EvictedTokens, actual.NextPosition));
            Assert.Equal(model.Pages.Count, actual.Pages.Length);
            PagedTokens.AreIn(actual, model.Tokens);

            // The same pages are shared as in the model, and no others.
            for (int i = 0; i < model.Pages.Count; i++)
                Assert.True(pages.TryAdd(actual.Pages[i], model.Pages[i]) || pages[actual.Pages[i]] == model.Pages[i], "A page is shared that must not be.");
        }

        Assert.Equal(pages.Count, pages.Values.Distinct().Count());
    }
}
