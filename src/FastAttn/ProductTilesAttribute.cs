using System;

namespace FastAttn;

/// <summary>Asks the generator for the register tiles of the packed matrix product, and for the driver's choice among them by instruction set.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class ProductTilesAttribute : Attribute
{
}
