using System.ComponentModel;

namespace FastAttn.Runtime;

/// <summary>
/// What a kernel was declared for, as constants: the driver is compiled once per spec, so that what is not declared costs
/// nothing. Not meant to be called by users.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public interface IKernelSpec
{
    /// <summary>The mask.</summary>
    static abstract AttentionMask Mask { get; }

    /// <summary>What calls may use.</summary>
    static abstract AttentionFeatures Features { get; }
}
