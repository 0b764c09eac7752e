namespace FastAttn.Tests.Stored;

/// <summary>How rows are kept.</summary>
public enum StoredFormat
{
    Half,
    BFloat16,
    Int8PerToken,
    Int8PerChannel,
    Int8Groups,
    Int4Groups,
    Int4PerChannel,
}
