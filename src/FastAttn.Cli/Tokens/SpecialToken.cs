namespace FastAttn.Cli.Tokens;

/// <summary>A token that is found in a prompt as it is written, and is no part of a word: <c>&lt;|im_start|&gt;</c>, for instance.</summary>
/// <param name="Content">What is written.</param>
/// <param name="Id">The token.</param>
/// <param name="IsText">Whether it is text where it is generated; else it is not written.</param>
internal readonly record struct SpecialToken(string Content, int Id, bool IsText);
