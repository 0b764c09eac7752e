namespace FastAttn.Embeddings;

/// <summary>How the hidden states of a text's tokens become one vector.</summary>
public enum PoolingMode
{
    /// <summary>Their mean: MiniLM, E5, GTE.</summary>
    Mean = 0,

    /// <summary>The one of the first token, which stands before each text: BGE, Arctic.</summary>
    Cls = 1,
}
