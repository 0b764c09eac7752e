namespace FastAttn.Embeddings.Text;

/// <summary>A token that is found in the text as it is written, before any normalisation, and is no part of a word: <c>[SEP]</c>, for instance.</summary>
/// <param name="Content">The text that it stands for.</param>
/// <param name="Id">Its id.</param>
internal readonly record struct AddedToken(string Content, int Id);
