using System;

namespace FastAttn;

/// <summary>Asks the generator for the register tiles of the packed matrix product, on every instruction set.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class ProductTilesAttribute : Attribute
{
}
