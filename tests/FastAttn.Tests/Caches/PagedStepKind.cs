namespace FastAttn.Tests.Caches;

internal enum PagedStepKind
{
    Create,
    Append,
    Fork,
    Truncate,
    Evict,
    EvictBetween,
    Dispose,
    Reorder,
}
