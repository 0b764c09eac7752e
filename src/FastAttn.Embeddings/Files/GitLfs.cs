using System;

namespace FastAttn.Embeddings.Files;

/// <summary>The small text that a clone has in the place of a large file until Git LFS fetches it.</summary>
internal static class GitLfs
{
    /// <summary>What is wrong with a file of weights that is such a text.</summary>
    public const string Message = "is a pointer of Git LFS, not the file itself: 'git lfs pull' fetches that.";

    /// <summary>Whether a file is a pointer. No safetensors file begins so, whose header would be too long, and no ONNX model: protobuf has no such field.</summary>
    /// <param name="start">The beginning of the file, 8 bytes or more.</param>
    public static bool IsPointer(ReadOnlySpan<byte> start) => start.StartsWith("version "u8);
}
