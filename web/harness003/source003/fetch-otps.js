const fetchOTPs = async () => {
  try {
    const response = await api.get("/otps");
    return response.data;
  } catch (error) {
    console.error("Failed to fetch OTPs:", error);
    return [];
  }
};
