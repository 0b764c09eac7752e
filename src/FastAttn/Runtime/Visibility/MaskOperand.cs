namespace FastAttn.Runtime;

/// <summary>A mask in memory, whose extent has been checked against the shape.</summary>
internal unsafe struct MaskOperand
{
    public void* Start;
    public MaskLayout Layout;
}
