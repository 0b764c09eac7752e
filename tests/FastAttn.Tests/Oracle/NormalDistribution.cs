using System;

namespace FastAttn.Tests.Oracle;

/// <summary>The distribution function Φ of N(0, 1) in double, with a relative error below 10^−12 wherever Φ is normal.</summary>
internal static class NormalDistribution
{
    /// <summary>
    /// Φ(x). Near 0 the series ½ + φ(x)·(x + x³/3 + x⁵/(3·5) + …), whose sum cancels to some 10^−3 at −3; beyond that Laplace's continued
    /// fraction 1 − Φ(a) = φ(a) / (a + 1/(a + 2/(a + 3/…))).
    /// </summary>
    public static double Below(double x)
    {
        double density = Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI), a = Math.Abs(x);
        if (a < 3)
        {
            double term = x, sum = 0;
            for (int i = 3; sum + term != sum; i += 2)
            {
                sum += term;
                term *= x * x / i;
            }

            return 0.5 + density * sum;
        }

        double fraction = a;
        for (int i = 150; i > 0; i--)
            fraction = a + i / fraction;
        return x < 0 ? density / fraction : 1 - density / fraction;
    }
}
