using System;

namespace FastAttn.Embeddings.Layers;

internal static class Interim
{
    public static void Norm(ReadOnlySpan<float> x, LayerNormWeights w, Span<float> y, int rows, float epsilon, ReadOnlySpan<float> residual)
    {
        int d = w.Factors.Length;
        for (int r = 0; r < rows; r++)
        {
            double mean = 0, variance = 0;
            for (int i = r * d; i < (r + 1) * d; i++)
                mean += x[i] + residual[i];
            mean /= d;
            for (int i = r * d; i < (r + 1) * d; i++)
                variance += (x[i] + residual[i] - mean) * (x[i] + residual[i] - mean);
            double scale = 1 / Math.Sqrt(variance / d + epsilon);
            for (int i = 0; i < d; i++)
                y[r * d + i] = (float)((x[r * d + i] + residual[r * d + i] - mean) * scale * w.Factors[i] + w.Biases[i]);
        }
    }

    public static void Gelu(Span<float> x)
    {
        for (int i = 0; i < x.Length; i++)
            x[i] = (float)(0.5 * x[i] * (1 + Erf(x[i] / Math.Sqrt(2))));
    }

    private static double Erf(double x)
    {
        double a = Math.Abs(x), sum = a, term = a;
        if (a > 6)
            return Math.Sign(x);
        for (int n = 1; Math.Abs(term) > 1e-18; n++)
            sum += (term *= 2 * a * a / (2 * n + 1));
        return Math.Sign(x) * 2 / Math.Sqrt(Math.PI) * Math.Exp(-a * a) * sum;
    }
}
