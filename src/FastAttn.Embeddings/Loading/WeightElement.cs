namespace FastAttn.Embeddings.Loading;

/// <summary>How a file stores a number.</summary>
internal enum WeightElement
{
    /// <summary>float32.</summary>
    Single,

    /// <summary>float16.</summary>
    Half,

    /// <summary>bfloat16.</summary>
    BFloat16,
}
