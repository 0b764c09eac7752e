namespace FastAttn.Runtime;

/// <summary>A mask in memory, its reach checked against the shape.</summary>
internal unsafe struct MaskOperand
{
    public void* Start;
    public MaskLayout Layout;
}
