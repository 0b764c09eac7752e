using ScottPlot;

namespace FastAttn.Benchmarks.Plots;

/// <summary>
/// The palette of Okabe and Ito, which the colour-blind can tell apart ("Color Universal Design", 2008), less its yellow,
/// which is faint on white. Series differ in their marker too.
/// </summary>
internal static class Palette
{
    private static readonly Color[] Colors =
    [
        Color.FromHex("#0072B2"), // blue
        Color.FromHex("#D55E00"), // vermillion
        Color.FromHex("#009E73"), // bluish green
        Color.FromHex("#CC79A7"), // reddish purple
        Color.FromHex("#E69F00"), // orange
        Color.FromHex("#56B4E9"), // sky blue
        Color.FromHex("#000000"),
    ];

    private static readonly MarkerShape[] Markers =
    [
        MarkerShape.FilledCircle,
        MarkerShape.FilledSquare,
        MarkerShape.FilledTriangleUp,
        MarkerShape.FilledDiamond,
        MarkerShape.FilledTriangleDown,
        MarkerShape.OpenCircle,
        MarkerShape.OpenSquare,
        MarkerShape.OpenDiamond,
        MarkerShape.Cross,
    ];

    /// <summary>The colour of what is not a measurement: limits, guides.</summary>
    public static Color Guide => Color.FromHex("#666666");

    public static Color ColorOf(int series) => Colors[series % Colors.Length];

    // Seven colours and nine markers repeat together after 63 series.
    public static MarkerShape MarkerOf(int series) => Markers[series % Markers.Length];
}
