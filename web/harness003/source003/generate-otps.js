const generateOTPs = async (count = 1, maxUses = 5) => {
  try {
    const response = await api.post("/otps", {
      count: count,
      max_uses: maxUses,
    });
    return response.data;
  } catch (error) {
    console.error("Failed to generate OTPs:", error);
    return null;
  }
};
